"""What do outside carriers say about a picture? One file a carrier; each returns claims."""
