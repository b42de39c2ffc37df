"""How many agents are needed when: forecasts, Erlang's formulas, and a simulation to check them."""
