"""The service: wiring, records, routes and screens."""
