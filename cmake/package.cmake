# What `cmake --install` puts where, so that plug-ins are built against it: find_package(reloadlab).
set(headers ${CMAKE_INSTALL_INCLUDEDIR}/reloadlab)
# As they are when it is called: nothing has to be looked for before each build.
foreach(folder base model)
  install(DIRECTORY reference/${folder} DESTINATION ${headers}/reference FILES_MATCHING PATTERN "*.h" PATTERN kinds EXCLUDE
          PATTERN quant EXCLUDE PATTERN architecture EXCLUDE)
endforeach()
install(FILES sim/candidate/candidate.h sim/candidate/plugin_abi.h DESTINATION ${headers}/sim/candidate)
install(FILES sim/candidate/reloadlab_candidate.h DESTINATION ${headers})
install(TARGETS reloadlab reloadlab_tap)
# Beside the program, which looks for it there.
if(TARGET reloadlab_cuda)
  install(TARGETS reloadlab_cuda LIBRARY DESTINATION ${CMAKE_INSTALL_BINDIR})
endif()

include(CMakePackageConfigHelpers)
set(package ${CMAKE_INSTALL_LIBDIR}/cmake/reloadlab)
configure_package_config_file(cmake/reloadlab-config.cmake.in ${CMAKE_BINARY_DIR}/reloadlab-config.cmake INSTALL_DESTINATION ${package}
                              PATH_VARS headers)
write_basic_package_version_file(${CMAKE_BINARY_DIR}/reloadlab-config-version.cmake COMPATIBILITY ExactVersion)
install(FILES ${CMAKE_BINARY_DIR}/reloadlab-config.cmake ${CMAKE_BINARY_DIR}/reloadlab-config-version.cmake cmake/torch.cmake
        DESTINATION ${package})
