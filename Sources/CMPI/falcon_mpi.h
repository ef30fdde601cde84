#ifndef FALCON_MPI_H
#define FALCON_MPI_H

// What the program asks of MPI. Two MPIs agree on nothing that is compiled, so their types stay in
// mpi/falcon_mpi.c, which is built with the MPI of a machine and opened at run time.

#include <stdint.h>

// Grows with every change of what follows.
#define FALCON_MPI_VERSION 1

// The name of the one function that the library exports: const struct falcon_mpi *falcon_mpi_calls(void).
#define FALCON_MPI_SYMBOL "falcon_mpi_calls"

#ifdef __clang__
#pragma clang assume_nonnull begin
#endif

// A transfer that has begun; 0 after it has ended.
typedef uint64_t falcon_mpi_request;

// Functions that return int return 0, or an error of MPI for explain. All but describe belong to one thread.
struct falcon_mpi {
    // FALCON_MPI_VERSION; the first field of every version.
    uint32_t version;
    // The name and version of the MPI, in one line; also before start.
    void (*describe)(char *text, int room);
    // Begins. rank from 0 to count - 1.
    int (*start)(int *rank, int *count);
    // Ends, when all ranks do and nothing is under way.
    int (*finish)(void);
    // Brings byte_count bytes of every rank to every rank, in the order of ranks.
    int (*gather)(const void *mine, void *all, int byte_count);
    // Begins to send. The bytes must stay until it has ended.
    int (*send)(const void *bytes, int byte_count, int rank, int tag, falcon_mpi_request *request);
    // Begins to receive at most byte_limit bytes.
    int (*receive)(void *bytes, int byte_limit, int rank, int tag, falcon_mpi_request *request);
    // Looks which of count requests have ended: done_count places in done, and in byte_counts how many bytes
    // each that received brought. In error, done[0] is the place of the one that failed.
    int (*test)(falcon_mpi_request *requests, int count, int *done, int *byte_counts, int *done_count);
    // Ends a receive that nothing was sent for.
    int (*cancel)(falcon_mpi_request *request);
    // The last call after a failure, on any thread: ends all processes if that is how the launcher learns the
    // status; otherwise returns, and the process is to end with it.
    void (*leave)(int status);
    // The message of an error.
    void (*explain)(int code, char *text, int room);
};

#ifdef __clang__
#pragma clang assume_nonnull end
#endif

#endif
