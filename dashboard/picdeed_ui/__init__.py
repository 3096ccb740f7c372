"""The dashboard: it reads through the registry's read functions and calls the flow."""
