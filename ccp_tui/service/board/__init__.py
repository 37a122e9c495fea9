"""What a person does with missions, tasks and agents, and how the board reads them."""
