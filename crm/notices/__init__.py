"""Messages to people: written in the transaction that causes them (`outbox`), sent after its commit
(`delivery`) by one adapter for each provider, followed by what the provider reports (`receipts`).
"""
