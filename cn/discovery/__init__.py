"""From a path to a key: the registered classes, the file of an option, the source line of a field."""

# What other packages may import: the names of each file.
OFFERS = {
    "discover": "Broken NoDefaultError NoOptionError find imported load longer nodes only options",
    "registry": "bears Key feed folders group_of home homes is_bundle is_contract key_of path_of register snake",
    "source": "comment default file own_annotations place where",
    "typable": "KEY better",
}
