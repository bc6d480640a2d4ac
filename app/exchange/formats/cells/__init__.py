"""The texts of cells: numbers, dates, the conventions that the cells of a column prove, and texts in old encodings.

Only the standard library is needed, because the child process that reads workbooks imports these modules too.
"""
