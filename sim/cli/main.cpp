// The program's main, and the one file of sim/ that names the mutants.
#include "sim/cli/program.h"
#include "tests/mutants/wrong.h"

int main(int argc, char** argv) {
  reloadlab::mutants::register_mutants();
  return reloadlab::sim::run_program(argc, argv, reloadlab::sim::built_in_engine());
}
