"""What agents work with beside the phone: pauses, help, results of calls, calls for life."""
