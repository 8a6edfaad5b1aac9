#include "sim/cli/program.h"

int main(int argc, char** argv) { return reloadlab::sim::run_program(argc, argv, reloadlab::sim::built_in_engine()); }
