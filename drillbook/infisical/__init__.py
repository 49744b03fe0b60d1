"""What Drillbook knows of Infisical: tables, ciphers, settings, image tags, and its HTTP API."""
