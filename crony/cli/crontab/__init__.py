"""Take over the lines of a crontab: read them, compare them, make them schedules."""
