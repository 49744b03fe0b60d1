"""What people declare: drillbook.toml, waivers.toml, and what follows from them."""
