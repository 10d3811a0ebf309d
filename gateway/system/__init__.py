"""`/admin/system`: what stands behind the routes, for holders of the sysadmin flag: settings, database, logs, jobs."""
