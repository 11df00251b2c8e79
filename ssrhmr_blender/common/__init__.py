"""What every feature uses: modal jobs, panels, validation, errors and axes."""
