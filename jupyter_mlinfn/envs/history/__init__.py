"""What an environment has been: revisions, changes outside, and the way between them.

Runs in the worker process: everything here walks and writes disks. The layout is that of
`layout.History`; how a change is made so that nothing is ever lost, that of `transaction`.
"""
