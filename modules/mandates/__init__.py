"""Where a caller works: mandates, memberships, groups, instances, invitations."""
