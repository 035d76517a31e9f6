"""The menu: start, resume, steer and configure runs, by flags for scripts or on a screen for people."""
