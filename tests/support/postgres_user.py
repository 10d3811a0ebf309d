"""A process that uses an embedded PostgreSQL until its input closes; killed or ended in order by the tests.

`python -m tests.support.postgres_user <directory> [<account>]`: with an account, gives up being root. Says `ready`
when the server accepts connections.
"""

import os
from pathlib import Path
import pwd
import sys

from tests.support.postgres import server_in

directory, *account = sys.argv[1:]
if account:
    entry = pwd.getpwnam(account[0])
    os.setgroups([])
    os.setgid(entry.pw_gid)
    os.setuid(entry.pw_uid)
with server_in(Path(directory), durable=True):
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    sys.stdin.read()
