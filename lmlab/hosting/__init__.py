"""What stands between the page and the outside: headers, health, logs, what a Space is sent."""
