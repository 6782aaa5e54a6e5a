"""Writes of top-ups: gateways and the policy, attempts, what the gateway says of them."""
