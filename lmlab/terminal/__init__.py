"""What commands share: options that several have, results in the terminal. Knows no page."""
