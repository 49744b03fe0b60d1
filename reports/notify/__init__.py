"""How a command ended, for others: pings, notices, metrics; none of it decides anything."""
