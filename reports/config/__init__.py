"""What people declare: drillbook.toml, waivers.toml, fleet.toml, and what follows from them."""
