# Installation: libraries, headers, CMake package and pkg-config files, man page. The command itself is
# installed by cli/.
#
# The package has four components. A static library's private dependencies are link dependencies of its
# consumer, so the split is by what a consumer must have installed:
#   doppel::snapshot     take a process: support, model, linux_backend                needs nothing
#   doppel::dumpwriter   write a dump:   plan, elf, minidump, formats, sink, job   needs zstd, threads
#   doppel::read         open a dump                                            needs LLVM
#   doppel::executive    the NT executive model                                 needs LLVM, Zydis
include(CMakePackageConfigHelpers)

set(DOPPEL_INSTALL_INCLUDEDIR ${CMAKE_INSTALL_INCLUDEDIR}/doppel-${PROJECT_VERSION_MAJOR})
set(DOPPEL_INSTALL_CMAKEDIR ${CMAKE_INSTALL_LIBDIR}/cmake/doppel)

# doppel_install_component(NAME DESCRIPTION text MODULES modules... [REQUIRES pkg-config modules...] [LIBS flags...])
function(doppel_install_component component)
  cmake_parse_arguments(ARG "" "DESCRIPTION" "MODULES;REQUIRES;LIBS" ${ARGN})

  # The umbrella is called doppel::NAME; where a module has the same name it is the umbrella itself.
  set(targets "")
  foreach(module IN LISTS ARG_MODULES)
    list(APPEND targets doppel_${module})
  endforeach()
  if(NOT component IN_LIST ARG_MODULES)
    add_library(doppel_${component} INTERFACE)
    add_library(doppel::${component} ALIAS doppel_${component})
    target_link_libraries(doppel_${component} INTERFACE ${targets})
    set_target_properties(doppel_${component} PROPERTIES EXPORT_NAME ${component})
    list(APPEND targets doppel_${component})
  endif()

  foreach(target IN LISTS targets)
    get_target_property(type ${target} TYPE)
    if(type STREQUAL "INTERFACE_LIBRARY")
      install(TARGETS ${target} EXPORT doppel-${component})
    else()
      install(TARGETS ${target} EXPORT doppel-${component}
              ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR}
              FILE_SET HEADERS DESTINATION ${DOPPEL_INSTALL_INCLUDEDIR}
              FILE_SET generated DESTINATION ${DOPPEL_INSTALL_INCLUDEDIR}
              INCLUDES DESTINATION ${DOPPEL_INSTALL_INCLUDEDIR})
    endif()
  endforeach()
  install(EXPORT doppel-${component} NAMESPACE doppel:: DESTINATION ${DOPPEL_INSTALL_CMAKEDIR})

  # Archives that need a symbol stand before the archive that has it: users first.
  set(libs "")
  list(REVERSE ARG_MODULES)
  foreach(module IN LISTS ARG_MODULES)
    string(APPEND libs " -ldoppel_${module}")
  endforeach()
  foreach(flag IN LISTS ARG_LIBS)
    string(APPEND libs " ${flag}")
  endforeach()
  string(STRIP "${libs}" PC_LIBS)
  list(JOIN ARG_REQUIRES ", " PC_REQUIRES)
  set(PC_NAME doppel-${component})
  set(PC_DESCRIPTION "${ARG_DESCRIPTION}")
  configure_file(${PROJECT_SOURCE_DIR}/cmake/doppel.pc.in ${PROJECT_BINARY_DIR}/doppel-${component}.pc @ONLY)
  install(FILES ${PROJECT_BINARY_DIR}/doppel-${component}.pc
          DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
endfunction()

# In pkg-config files, where the prefix is told only at installation, LIBDIR may be absolute or relative.
cmake_path(IS_ABSOLUTE CMAKE_INSTALL_LIBDIR doppel_libdir_absolute)
if(doppel_libdir_absolute)
  set(PC_LIBDIR ${CMAKE_INSTALL_LIBDIR})
  set(PC_PREFIX ${CMAKE_INSTALL_PREFIX})
else()
  # Found from the file's own place, so that an installed tree may be moved.
  set(PC_LIBDIR "\${prefix}/${CMAKE_INSTALL_LIBDIR}")
  file(RELATIVE_PATH doppel_up /${CMAKE_INSTALL_LIBDIR}/pkgconfig /)
  string(REGEX REPLACE "/$" "" doppel_up ${doppel_up})
  set(PC_PREFIX "\${pcfiledir}/${doppel_up}")
endif()
cmake_path(IS_ABSOLUTE DOPPEL_INSTALL_INCLUDEDIR doppel_includedir_absolute)
if(doppel_includedir_absolute)
  set(PC_INCLUDEDIR ${DOPPEL_INSTALL_INCLUDEDIR})
else()
  set(PC_INCLUDEDIR "\${prefix}/${DOPPEL_INSTALL_INCLUDEDIR}")
endif()

doppel_install_component(snapshot
  DESCRIPTION "Take a process as a snapshot while it runs on"
  MODULES support model linux_backend)
doppel_install_component(dumpwriter
  DESCRIPTION "Write a snapshot as a compressed ELF core"
  MODULES plan elf minidump formats sink job
  REQUIRES doppel-snapshot libzstd
  LIBS -pthread)
execute_process(COMMAND ${LLVM_TOOLS_BINARY_DIR}/llvm-config --link-static --ldflags --libs object --system-libs
                OUTPUT_VARIABLE doppel_llvm_flags OUTPUT_STRIP_TRAILING_WHITESPACE COMMAND_ERROR_IS_FATAL ANY)
string(REGEX REPLACE "[ \n]+" ";" doppel_llvm_flags "${doppel_llvm_flags}")
doppel_install_component(read
  DESCRIPTION "Open a dump as a snapshot"
  MODULES read
  REQUIRES doppel-dumpwriter
  LIBS ${doppel_llvm_flags})
doppel_install_component(executive
  DESCRIPTION "Run and capture processes on a model of the NT executive"
  MODULES executive_cpu executive_backend
  REQUIRES doppel-snapshot
  LIBS -lZydis ${doppel_llvm_flags})

configure_package_config_file(cmake/doppelConfig.cmake.in ${PROJECT_BINARY_DIR}/doppelConfig.cmake
                              INSTALL_DESTINATION ${DOPPEL_INSTALL_CMAKEDIR})
write_basic_package_version_file(${PROJECT_BINARY_DIR}/doppelConfigVersion.cmake
                                 COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/doppelConfig.cmake ${PROJECT_BINARY_DIR}/doppelConfigVersion.cmake
        DESTINATION ${DOPPEL_INSTALL_CMAKEDIR})
install(FILES LICENSE README.md CHANGELOG.md DESTINATION ${CMAKE_INSTALL_DOCDIR})
