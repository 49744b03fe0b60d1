"""The product as a client and a backup show it: tables, ciphers, settings, keys, HTTP API."""
