"""Web part of the plugin; imported by the api-server only."""
