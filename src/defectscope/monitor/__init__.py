"""Live channels: watched for weeks, alarmed within seconds.

    address -> receiver -> inlet -> decoder -> engine -> window -> decide -> alarms -> outputs

A channel costs itself alone: what is wrong with its stream never reaches its neighbours.
"""
