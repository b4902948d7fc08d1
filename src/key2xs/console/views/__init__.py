"""What each page shows, read from the rooms in one transaction. Nothing here knows HTTP or templates."""
