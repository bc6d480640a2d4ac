"""IATI files that come in: those of this program, by their extension, and those of any other publisher.

parser               the elements of a file, one activity at a time
file                 the two passes over a file, and the lines of an import
activity, organisation, organisations, places, results, documents      the records of an activity or organisation
values               texts by language, days and numbers
findings             what was not kept and why, and the report
"""
