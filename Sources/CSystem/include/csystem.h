#ifndef CSYSTEM_H
#define CSYSTEM_H

// Renames only if nothing has the new name (RENAME_NOREPLACE). 0, or -1 with errno: EEXIST, or EINVAL and
// ENOSYS where the file system cannot.
int csystem_rename_to_free_name(const char *path, const char *new_path);

// Gives each of two paths the other's name, in one step (RENAME_EXCHANGE). 0, or -1 with errno: EINVAL and
// ENOSYS where the file system cannot.
int csystem_exchange_names(const char *path, const char *other);

// Writes what was printed out. 0, or the errno of what, now or before, could not be written.
int csystem_flush_standard_output(void);

// Binds this thread, and those that it starts from now on, to processors. 0, or -1 with errno.
int csystem_bind(const int *processors, int count);

#endif
