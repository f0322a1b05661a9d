"""Connect pages: where an app's user connects accounts, sees them, and connects them anew."""
