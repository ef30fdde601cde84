// The library between the program and one MPI; `make mpi` builds it. See Sources/CMPI/falcon_mpi.h.

#include "../Sources/CMPI/falcon_mpi.h"

#include <mpi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

_Static_assert(sizeof(MPI_Request) <= sizeof(falcon_mpi_request), "a request of MPI is kept in 8 bytes");

// The messages of other libraries in this process stay apart.
static MPI_Comm ranks = MPI_COMM_NULL;

static falcon_mpi_request kept(MPI_Request request) {
    falcon_mpi_request bytes = 0;
    if (request != MPI_REQUEST_NULL) memcpy(&bytes, &request, sizeof request);
    return bytes;
}

static MPI_Request given(falcon_mpi_request bytes) {
    MPI_Request request = MPI_REQUEST_NULL;
    if (bytes != 0) memcpy(&request, &bytes, sizeof request);
    return request;
}

static void describe(char *text, int room) {
    char whole[MPI_MAX_LIBRARY_VERSION_STRING] = "";
    int length = 0;
    MPI_Get_library_version(whole, &length);
    // Open MPI adds who built it and when, MPICH many lines about how.
    whole[strcspn(whole, ",\n")] = 0;
    for (char *c = whole; *c != 0; c++)
        if (*c == '\t') *c = ' ';
    snprintf(text, room, "%s", whole);
}

static int start(int *rank, int *count) {
    // Sleeps of this thread between two looks are of some 20 microseconds; Linux adds 50 by default.
    prctl(PR_SET_TIMERSLACK, 1000UL, 0, 0, 0);
#ifndef OPEN_MPI
    // UCX, under MPICH, hands over 8 kB at a look by default; a rank that computes looks every 0.1 ms.
    setenv("UCX_TCP_TX_SEG_SIZE", "128k", 0);
    setenv("UCX_TCP_RX_SEG_SIZE", "128k", 0);
#endif
    int provided = 0;
    int code = MPI_Init_thread(NULL, NULL, MPI_THREAD_FUNNELED, &provided);
    if (code == MPI_SUCCESS) code = MPI_Comm_dup(MPI_COMM_WORLD, &ranks);
    if (code == MPI_SUCCESS) code = MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN);
    if (code == MPI_SUCCESS) code = MPI_Comm_set_errhandler(ranks, MPI_ERRORS_RETURN);
    if (code == MPI_SUCCESS) code = MPI_Comm_rank(ranks, rank);
    if (code == MPI_SUCCESS) code = MPI_Comm_size(ranks, count);
    return code;
}

static int finish(void) {
#ifndef OPEN_MPI
    // Over TCP, MPICH's end hangs in some runs if another rank has only just sent its last message.
    usleep(200000);
#endif
    int code = MPI_Comm_free(&ranks);
    return code == MPI_SUCCESS ? MPI_Finalize() : code;
}

static int gather(const void *mine, void *all, int byte_count) {
    return MPI_Allgather(mine, byte_count, MPI_BYTE, all, byte_count, MPI_BYTE, ranks);
}

static int send(const void *bytes, int byte_count, int rank, int tag, falcon_mpi_request *request) {
    MPI_Request begun = MPI_REQUEST_NULL;
    int code = MPI_Isend(bytes, byte_count, MPI_BYTE, rank, tag, ranks, &begun);
    *request = kept(begun);
    return code;
}

static int receive(void *bytes, int byte_limit, int rank, int tag, falcon_mpi_request *request) {
    MPI_Request begun = MPI_REQUEST_NULL;
    int code = MPI_Irecv(bytes, byte_limit, MPI_BYTE, rank, tag, ranks, &begun);
    *request = kept(begun);
    return code;
}

static int test(falcon_mpi_request *requests, int count, int *done, int *byte_counts, int *done_count) {
    MPI_Request begun[count];
    MPI_Status statuses[count];
    for (int i = 0; i < count; i++) begun[i] = given(requests[i]);
    int code = MPI_Testsome(count, begun, done_count, done, statuses);
    if (code != MPI_SUCCESS) {
        int failed = 0;
        if (code == MPI_ERR_IN_STATUS) {
            while (failed < *done_count - 1 && (statuses[failed].MPI_ERROR == MPI_SUCCESS ||
                                                statuses[failed].MPI_ERROR == MPI_ERR_PENDING))
                failed++;
            code = statuses[failed].MPI_ERROR;
            done[0] = done[failed];
        } else {
            done[0] = 0;
        }
        *done_count = 1;
        return code;
    }
    // None of them was under way.
    if (*done_count == MPI_UNDEFINED) *done_count = 0;
    for (int i = 0; i < *done_count; i++) {
        requests[done[i]] = kept(begun[done[i]]);
        byte_counts[i] = 0;
        MPI_Get_count(&statuses[i], MPI_BYTE, &byte_counts[i]);
    }
    return code;
}

static int cancel(falcon_mpi_request *request) {
    MPI_Request begun = given(*request);
    int code = MPI_Cancel(&begun);
    if (code == MPI_SUCCESS) code = MPI_Wait(&begun, MPI_STATUS_IGNORE);
    *request = kept(begun);
    return code;
}

// Of processes that end without MPI_Finalize, the mpirun of Open MPI ends the others and reports the first
// status; MPICH's ends them too, and reports now that status, now the signal by which they ended. MPI_Abort
// makes it certain; in Open MPI it would add only noise.
static void leave(int status) {
#ifdef OPEN_MPI
    (void)status;
#else
    MPI_Abort(MPI_COMM_WORLD, status);
#endif
}

static void explain(int code, char *text, int room) {
    char whole[MPI_MAX_ERROR_STRING] = "";
    int length = 0;
    if (MPI_Error_string(code, whole, &length) != MPI_SUCCESS) whole[0] = 0;
    for (char *c = whole; *c != 0; c++)
        if (*c == '\n') *c = ' ';
    snprintf(text, room, "%s", whole);
}

__attribute__((visibility("default"))) const struct falcon_mpi *falcon_mpi_calls(void) {
    static const struct falcon_mpi calls = {
        .version = FALCON_MPI_VERSION,
        .describe = describe,
        .start = start,
        .finish = finish,
        .gather = gather,
        .send = send,
        .receive = receive,
        .test = test,
        .cancel = cancel,
        .leave = leave,
        .explain = explain,
    };
    return &calls;
}
