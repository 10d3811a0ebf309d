"""The HTTP edge: middleware, error answers, health, metrics and the OpenAPI document."""
