"""What each feature offers, built from its section of the settings; `gateway.wiring` calls them, lowest needs first."""
