// A small MPI program that shows what launchers tell and do.
//
//   probe variables         each process prints its place and the launchers' variables
//   probe fault KIND LOG    the last process fails as KIND says, the others wait for it; "none": all wait
//
// LOG is a folder: each process keeps a file LOG/RANK there, with a line for every signal, and touches it
// while it runs. KIND: exit (75, without MPI_Finalize), finalize (MPI_Finalize, then 75), kill (SIGKILL),
// stop (SIGSTOP), abort (MPI_Abort with 75), all (every process finalizes, ends with 75), all-exit (the same
// without MPI_Finalize), none.
#include <fcntl.h>
#include <mpi.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

extern char **environ;
static int log_file = -1;

static double seconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static void note(const char *what, int value) {
    char line[80];
    int length = snprintf(line, sizeof line, "%.3f %s %d\n", seconds(), what, value);
    if (write(log_file, line, (size_t)length) < 0) abort();
}

static void receive(int number) { note("signal", number); }

static void print_variables(int rank, int size) {
    static const char *const prefixes[] = {"SLURM_PROCID=",
                                           "SLURM_NTASKS=",
                                           "SLURM_NPROCS=",
                                           "SLURM_LOCALID=",
                                           "SLURM_NODEID=",
                                           "SLURM_STEP_ID=",
                                           "SLURM_STEPID=",
                                           "SLURM_STEP_NUM",
                                           "SLURM_MPI_TYPE",
                                           "SLURM_JOB_ID=",
                                           "SLURM_ARRAY_TASK",
                                           "PMI_RANK=",
                                           "PMI_SIZE=",
                                           "PMI_FD=",
                                           "PMIX_RANK=",
                                           "OMPI_COMM_WORLD_RANK=",
                                           "SLURM_LAUNCH_NODE",
                                           "OMPI_COMM_WORLD_SIZE=",
                                           "OMPI_COMM_WORLD_LOCAL_RANK=",
                                           "MPI_LOCALRANKID=",
                                           "SLURM_NNODES=",
                                           "SLURM_RESTART_COUNT="};
    char host[64], text[4000];
    gethostname(host, sizeof host);
    int length = snprintf(text, sizeof text, "rank %d of %d on %s:", rank, size, host);
    for (char **entry = environ; *entry; entry++)
        for (size_t index = 0; index < sizeof prefixes / sizeof *prefixes; index++)
            if (!strncmp(*entry, prefixes[index], strlen(prefixes[index])))
                length += snprintf(text + length, sizeof text - (size_t)length, " %s", *entry);
    puts(text);
}

static void fail(const char *kind, int rank, int size) {
    if (!strcmp(kind, "all")) {
        MPI_Finalize();
        exit(75);
    }
    if (!strcmp(kind, "all-exit")) exit(75);
    if (rank != size - 1) return;
    note(kind, rank);
    if (!strcmp(kind, "exit")) _exit(75);
    if (!strcmp(kind, "kill")) raise(SIGKILL);
    if (!strcmp(kind, "stop")) raise(SIGSTOP);
    if (!strcmp(kind, "abort")) MPI_Abort(MPI_COMM_WORLD, 75);
    if (!strcmp(kind, "finalize")) {
        MPI_Finalize();
        exit(75);
    }
}

int main(int count, char **words) {
    int rank, size;
    MPI_Init(&count, &words);
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Comm_size(MPI_COMM_WORLD, &size);
    if (count < 4) {
        print_variables(rank, size);
        MPI_Finalize();
        return 0;
    }
    char path[1000];
    snprintf(path, sizeof path, "%s/%d", words[3], rank);
    log_file = open(path, O_CREAT | O_WRONLY | O_APPEND, 0666);
    static const int numbers[] = {SIGHUP, SIGINT, SIGQUIT, SIGUSR1, SIGUSR2, SIGTERM, SIGCONT, SIGPIPE};
    for (size_t index = 0; index < sizeof numbers / sizeof *numbers; index++) signal(numbers[index], receive);
    note("begin", size);
    MPI_Barrier(MPI_COMM_WORLD);
    usleep(500000);
    fail(words[2], rank, size);
    MPI_Request request;
    int done = 0;
    if (!strcmp(words[2], "none")) {
        while (1) {
            futimens(log_file, NULL);
            usleep(10000);
        }
    }
    int value = rank;
    MPI_Irecv(&value, 1, MPI_INT, size - 1, 7, MPI_COMM_WORLD, &request);
    while (!done) {
        futimens(log_file, NULL);
        MPI_Test(&request, &done, MPI_STATUS_IGNORE);
        usleep(10000);
    }
    note("received", value);
    MPI_Finalize();
    return 0;
}
