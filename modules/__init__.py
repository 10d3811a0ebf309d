"""The features of the gateway. Direction: containers | billing > rbac > mandates > auth > audit > shared."""
