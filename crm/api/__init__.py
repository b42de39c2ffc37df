"""What programs of others may do: tokens, answers kept for repeated requests, webhooks."""
