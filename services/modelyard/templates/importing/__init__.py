"""What the template `import-model` does; it runs in a job's process in the strong sandbox."""
