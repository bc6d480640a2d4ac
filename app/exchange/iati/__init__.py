"""IATI 2.03: activities and organisations as XML, an extension for the rest, and a report of what is lost without it.

routes, command      /v1/iati/…, /v1/projects/{id}.xml; hoptac export iati
files                the parts of each file, in their order
pages                the records of a list with those that belong to them
activity, results, places, documents, dates, organisation      elements of the standard, and what they leave out
reading              files that come in, of this program and of others
extension            the elements of whole records, and their schema
losses               the report
reporter, markup     who reports; XML text
"""
