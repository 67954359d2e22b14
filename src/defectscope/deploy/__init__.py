"""Deployment to Amazon SageMaker: what the scripts in sagemaker/ call."""
