"""What the tabs share: widgets, pickers, status, errors."""
