# doppel_add_library(NAME SOURCES ... HEADERS ... [GENERATED headers...] [PUBLIC targets...] [PRIVATE targets...])
#
# One module: the static library doppel_NAME, its alias doppel::NAME, and its public headers, which
# are included by their path in the tree (<snapshot/model/snapshot.h>), here and after installation,
# and must each compile alone (target all_verify_interface_header_sets).
#
# GENERATED   headers below the build's generated/ folder
# PUBLIC   modules whose headers ours include      PRIVATE   what only our sources need
# Which module is installed in which package component is said once, in Install.cmake.
function(doppel_add_library name)
  cmake_parse_arguments(ARG "" "" "SOURCES;HEADERS;GENERATED;PUBLIC;PRIVATE" ${ARGN})
  if(ARG_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "doppel_add_library(${name}): unknown: ${ARG_UNPARSED_ARGUMENTS}")
  endif()
  set(target doppel_${name})
  add_library(${target} STATIC ${ARG_SOURCES})
  add_library(doppel::${name} ALIAS ${target})
  target_sources(${target} PUBLIC
                 FILE_SET HEADERS BASE_DIRS ${PROJECT_SOURCE_DIR} FILES ${ARG_HEADERS}
                 # A set of its own: one base directory may not lie in another.
                 FILE_SET generated TYPE HEADERS BASE_DIRS ${DOPPEL_GENERATED_DIR} FILES ${ARG_GENERATED})
  target_compile_features(${target} PUBLIC cxx_std_23)
  target_link_libraries(${target}
    PUBLIC ${ARG_PUBLIC} $<BUILD_INTERFACE:doppel_sanitizers> $<BUILD_INTERFACE:doppel_coverage>
           $<BUILD_INTERFACE:doppel_hardening>
    PRIVATE ${ARG_PRIVATE} $<BUILD_INTERFACE:doppel_warnings>)
  set_target_properties(${target} PROPERTIES EXPORT_NAME ${name} VERIFY_INTERFACE_HEADER_SETS ON)
  set_property(GLOBAL APPEND PROPERTY DOPPEL_MODULES ${name})
endfunction()
