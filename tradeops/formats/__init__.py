"""How days and times are written where a template or the back office does not say."""
