"""What everything stands on: errors, ids, settings, limits, resources, events."""
