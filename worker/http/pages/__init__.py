"""Pages for people: templates, style sheets and scripts, all of them from this process."""
