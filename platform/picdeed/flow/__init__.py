"""The life of a picture, one file a stage. Read pipeline.py first."""
