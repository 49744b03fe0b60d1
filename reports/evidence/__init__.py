"""The contract drillbook/evidence/1: its models, and evidence.json as a file."""
