// Measures what a program of MPI gets from the network: one process a host.
//
//   network [SECONDS [polite]]    rank 0 prints a table; SECONDS (default 2) for each line
//
// "polite" waits in naps of about 70 microseconds instead of spinning, as it must with more hosts than cores.
// Rates are payload that leaves one host, in Gbit/s; times are those of one call.
#include <mpi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

enum { KIB = 1024, MIB = 1024 * 1024 };
static int rank, size;
static double limit_seconds = 2;
static int polite = 0;

// Waits for at most four requests.
static void finish(int count, MPI_Request *requests) {
    MPI_Status statuses[4];
    int done = 0;
    while (!done) {
        MPI_Testall(count, requests, &done, statuses);
        if (!done && polite) usleep(20);
    }
}

static void send(void *place, int bytes, int other, int tag) {
    MPI_Request request;
    MPI_Isend(place, bytes, MPI_CHAR, other, tag, MPI_COMM_WORLD, &request);
    finish(1, &request);
}

static void receive(void *place, int bytes, int other, int tag) {
    MPI_Request request;
    MPI_Irecv(place, bytes, MPI_CHAR, other, tag, MPI_COMM_WORLD, &request);
    finish(1, &request);
}

static void wait_for_all(void) {
    MPI_Request request;
    MPI_Ibarrier(MPI_COMM_WORLD, &request);
    finish(1, &request);
}

// One exchange between ranks 0 and 1; the others wait in the barrier that follows.
static void ping_pong(char *buffer, int bytes) {
    if (rank == 0) {
        send(buffer, bytes, 1, 0);
        receive(buffer, bytes, 1, 0);
    } else if (rank == 1) {
        receive(buffer, bytes, 0, 0);
        send(buffer, bytes, 0, 0);
    }
}

// 16 messages of 1 MiB from rank 0 to rank 1, four under way at a time.
static void stream(char *buffer, int bytes) {
    MPI_Request requests[4] = {MPI_REQUEST_NULL, MPI_REQUEST_NULL, MPI_REQUEST_NULL, MPI_REQUEST_NULL};
    if (rank > 1) return;
    for (int index = 0; index < 16; index++) {
        MPI_Request *request = &requests[index % 4];
        char *place = buffer + (size_t)(index % 4) * (size_t)bytes;
        finish(1, request);
        if (rank == 0) {
            MPI_Isend(place, bytes, MPI_CHAR, 1, 0, MPI_COMM_WORLD, request);
        } else {
            MPI_Irecv(place, bytes, MPI_CHAR, 0, 0, MPI_COMM_WORLD, request);
        }
    }
    finish(4, requests);
    char done = 0;
    if (rank == 1) send(&done, 1, 0, 1);
    if (rank == 0) receive(&done, 1, 1, 1);
}

// A message of this length from each to each, both ways at once.
static void all_to_all(char *buffer, int bytes) {
    MPI_Request request;
    MPI_Ialltoall(buffer, bytes, MPI_CHAR, buffer + (size_t)size * (size_t)bytes, bytes, MPI_CHAR,
                  MPI_COMM_WORLD, &request);
    finish(1, &request);
}

static double processor_seconds(void) {
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           1e-6 * (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
}

// Seconds of one call, the mean of as many as fit.
static double measure(void (*work)(char *, int), char *buffer, int bytes, double *processors) {
    int calls = 1, more = 1;
    work(buffer, bytes);
    wait_for_all();
    double start = MPI_Wtime(), spent = processor_seconds();
    for (calls = 0; more; calls++) {
        work(buffer, bytes);
        if ((calls + 1) % 8 == 0) {
            more = MPI_Wtime() - start < limit_seconds;
            MPI_Request request;
            MPI_Ibcast(&more, 1, MPI_INT, 0, MPI_COMM_WORLD, &request);
            finish(1, &request);
        }
    }
    wait_for_all();
    double seconds = MPI_Wtime() - start;
    *processors = (processor_seconds() - spent) / seconds;
    return seconds / calls;
}

static void show(const char *name, double seconds, double bytes, double processors) {
    if (rank == 0)
        printf("%-34s %10.1f us %8.3f Gbit/s %6.2f cores of rank 0\n", name, 1e6 * seconds,
               8e-9 * bytes / seconds, processors);
    fflush(stdout);
}

int main(int count, char **words) {
    MPI_Init(&count, &words);
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Comm_size(MPI_COMM_WORLD, &size);
    if (count > 1) limit_seconds = atof(words[1]);
    polite = count > 2;
    char *buffer = malloc((size_t)MIB * 2 * (size_t)(size > 2 ? size : 2));
    memset(buffer, 1, (size_t)MIB * 2 * (size_t)(size > 2 ? size : 2));
    double processors, seconds;
    if (size < 2) MPI_Abort(MPI_COMM_WORLD, 64);
    seconds = measure(ping_pong, buffer, 8, &processors);
    show("8 B there and back, half", seconds / 2, 8, processors);
    seconds = measure(ping_pong, buffer, 64 * KIB, &processors);
    show("64 KiB there and back, half", seconds / 2, 64 * KIB, processors);
    seconds = measure(ping_pong, buffer, MIB, &processors);
    show("1 MiB there and back, half", seconds / 2, MIB, processors);
    seconds = measure(stream, buffer, MIB, &processors);
    show("one stream, 16 x 1 MiB", seconds, 16.0 * MIB, processors);
    seconds = measure(all_to_all, buffer, MIB, &processors);
    show("each to each, 1 MiB", seconds, (double)(size - 1) * MIB, processors);
    // MPICH over UCX waits for ever now and then if one process leaves while another closes its connections.
    MPI_Barrier(MPI_COMM_WORLD);
    usleep(200000);
    MPI_Finalize();
    return 0;
}
