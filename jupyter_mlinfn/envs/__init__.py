"""Room `envs`: personal conda environments, and every environment as a kernel."""
