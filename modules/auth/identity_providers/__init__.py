"""Providers that say who somebody is (OpenID Connect Core 1.0): how they are asked, and what of the
answer is believed.

`provider` knows what each kind believes, `documents` what a provider publishes, `openid` the protocol. Nothing here
asks the database.
"""
